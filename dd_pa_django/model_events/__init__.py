"""Events of models: declared on the class, built when a row changes, gone when the change is rolled back."""
