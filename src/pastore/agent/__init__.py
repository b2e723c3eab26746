"""The policy agent: retrieve, apply, audit."""
