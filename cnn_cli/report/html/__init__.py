"""Reports as one HTML file each: no other file, no network, no script; for screens and paper."""
