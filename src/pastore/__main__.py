"""``python -m pastore``."""

from pastore.cli.main import main

main()
