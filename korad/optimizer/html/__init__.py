"""Pages as text: one pass over the tokens of HTML, no tree, so that no page is too deep.

In: the text of a page or a fragment. Out: Markdown-like text that keeps words, link targets,
headings, lists, tables, form fields and alt texts.
"""
