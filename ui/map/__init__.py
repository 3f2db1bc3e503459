"""The map tab: papers that are alike lie together."""
