// glu
