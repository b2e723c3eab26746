"""The proof on a user's own policy: the table against the linear scan and against the kernel's packet filter."""
