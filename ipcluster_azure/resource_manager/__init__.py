"""Everything said to Azure and heard from it."""
