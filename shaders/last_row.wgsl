// last_row
