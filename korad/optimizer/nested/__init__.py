"""Long texts inside the strings of a tool result that is JSON: found, and put back as spelled."""
