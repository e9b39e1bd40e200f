"""What clients must not take for a document."""


def raises(what, call):
    try:
        got = call()
    except Exception:
        return
    raise AssertionError(f"{what} raised nothing: {str(got)[:200]}")
