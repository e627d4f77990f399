"""Uses of a trained model: notes and MIDI clips."""
