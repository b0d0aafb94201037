"""Personal data: marked in the contract, encrypted under a key of the person, opened only for a stated purpose."""
