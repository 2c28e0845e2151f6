"""The command line: parse, call, show. The one place that catches the program's own errors."""
