"""What a cycle costs as history grows: the part of a new day, and the analysis of all parts that are kept."""
