/* Replays the sheet fuzz target on a corpus. */
#include "base/fuzz_replay.h"

int main(void)
{
    static const char *const corpus[] = {
        "a,b,c\r\n1,\"x, \"\"y\"\"\",\n,,\n\"two\nlines\",'=1+1,''=2\r\nlast",
        "名称,数值\n=1,+2\n-3,@4\n\t5,\"\"\n",
        "<w><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"C1\" "
        "s=\"1\"><v>46351.5</v></c></row></sheetData></w>",
        "<w><row><c t=\"inlineStr\"><is><t>in</t><rPh><t>no</t></rPh></is></c><c "
        "t=\"b\"><v>1</v></c><c><v>1e-7</v></c></row></w>",
        "<sst><si><t>a</t></si><si><r><t>b</t></r></si><row r=\"7\"><c r=\"B7\" t=\"s\"><v>1</v></c><c "
        "s=\"2\"><v>-1</v></c></row></sst>",
        "PK\x03\x04 not a real one",
    };
    return fuzz_replay("sheet", corpus, sizeof corpus / sizeof corpus[0], 2000);
}
