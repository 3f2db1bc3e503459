"""What leaves the library: references, evidence passports, feedback, and where figures come from."""
