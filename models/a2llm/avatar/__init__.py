"""The avatar: heads as geometry, and pictures of them. It decides nothing about how a face moves."""
