"""What every room uses: errors, files, pictures, progress."""
