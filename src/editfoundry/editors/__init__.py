"""Editor model families and their sampling."""
