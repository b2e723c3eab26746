"""Instructions a packet, counted by valgrind: what a change costs, free of the machine's mood."""
