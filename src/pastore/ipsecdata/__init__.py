"""[MS-GPIPSEC] objects and blobs, both ways."""
