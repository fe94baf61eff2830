// Rooms that anybody may join.
import { start } from "./page.js";
import { Room } from "./room.js";

start((room, name) => new Room(room, name));
