"""The audit events of the policy agent, and where they are written."""
