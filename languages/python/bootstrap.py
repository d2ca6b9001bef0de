"""What the interpreter is started with. It compiles this file each time and others once, so all else is in them."""

import freehold_life

# Processes that `multiprocessing` spawns read it, too.
if __name__ == "__main__":
    freehold_life.main()
