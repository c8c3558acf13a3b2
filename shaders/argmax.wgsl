// argmax
