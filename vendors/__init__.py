"""The vendor-neutral model, the border every vendor crosses, and one package per vendor."""
