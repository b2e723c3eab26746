"""IPsec policy as Windows stores it ([MS-GPIPSEC]), both ways: one module a blob type, `objects` for the graph."""
