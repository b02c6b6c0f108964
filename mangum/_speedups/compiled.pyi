# The specification's names, with its types.
from mangum._speedups.pure import *
