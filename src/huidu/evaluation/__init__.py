"""Versions recognise a test set, are scored and compared: what `huidu eval` and the golden stage are made of."""
