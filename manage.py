#!/usr/bin/env python
"""Django's command line, with the embedded installation's environment filled in when none is given."""

import sys

if __name__ == "__main__":
    from ikiro.stack.environment import fill_defaults

    fill_defaults()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
