"""What all packages use: errors, files, pictures, landmarks, progress."""
