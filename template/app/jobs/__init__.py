"""Work that goes on after the answer, in this process or in workers, or by the clock."""
