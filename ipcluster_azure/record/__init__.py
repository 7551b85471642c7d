"""What is known of a cluster, on disk; the mark by which a start is given up."""
