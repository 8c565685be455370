"""Tool definitions with shorter descriptions; names, structure and order stay."""
