/* The pack made by web/pack.mjs, as read-only data. The include path of the build finds it beside this file. */
    .section .rodata
    .global assets_pack
    .type assets_pack, %object
    .balign 16
assets_pack:
    .incbin "web_pack.bin"
    .size assets_pack, . - assets_pack
    .section .note.GNU-stack,"",%progbits
