"""What is on a picture of your own?"""
