"""Rooms: who joins one hears what is said in it, until they leave."""
