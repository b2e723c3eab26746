"""From a Policy to SpecificFilters: expanding, weighing, default exemptions."""
