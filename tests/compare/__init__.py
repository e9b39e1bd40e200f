"""The parts of compare.py; what each measures stands at its top."""
