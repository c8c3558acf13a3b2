// rms_norm
