"""What a person or a program sees of a deployment. Every display is a pure function of the events."""
