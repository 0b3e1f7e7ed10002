"""`python -m controller` is `matlabctl`."""

from controller.cli import main

if __name__ == "__main__":
    main(prog_name="matlabctl")
