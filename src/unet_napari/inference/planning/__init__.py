"""How an image is cut, decided before the prediction starts: what fits in memory, and is fast.

It may import `backends` and `streaming`, and of the files around it `config`, `summary`,
`orientations`, `prepared` and `tiles`.
"""
