"""What distinguishes the arms: the teachers and the loss."""
