"""What runs used and made: data sets that went in, models that came out."""
