"""The Dockerfile, built without a container engine, and what is in the image (`make image-test`)."""
