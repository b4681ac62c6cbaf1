"""What an operator sees of a mesh at one look: asked, put into sentences, and printed."""
