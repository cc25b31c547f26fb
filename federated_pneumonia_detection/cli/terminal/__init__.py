"""`fpd watch` as a full screen: what is drawn (pure), where it is read from (threads), and the program around both."""
