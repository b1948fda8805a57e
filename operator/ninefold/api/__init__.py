"""The contract: four kinds, their conditions, and the artifacts that Jobs hand over. Imports nothing of Ninefold."""
