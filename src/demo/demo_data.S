/* The boundaries, as they are. */
    .section .rodata
    .global demo_boundaries_begin
    .global demo_boundaries_end
demo_boundaries_begin:
    .incbin DEMO_BOUNDARIES
demo_boundaries_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
