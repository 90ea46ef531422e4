"""What the stack costs and how late it is, measured against the budgets: ``robot-policies bench``."""
