/* Replays the import's fuzz target on a corpus of every format and shape; the first letter picks options
 * (its code modulo 5 is the format). */
#include "base/fuzz_replay.h"

int main(void)
{
    static const char *const corpus[] = {
        "etime,station,PM25,PM10,SO2,NO2,CO,O3,WD\n2026-11-20 08:00,1001A,35,50,6,22,0.8,64,NNE\n"
        "2026-11-20 09:00,\"1001A\",36,51,,23,0.9,65,90\n",
        "y时间,PM2.5(μg/m³),O₃\n2026/11/20 8:00,35,64\n2026年11月20日9时,—,-999\n",
        "estation,time,pollutant,value,flag\n1001A,2026-11-20T08:00,PM2.5,35,N\n1001A,2026112009,O3,64,D\n",
        "edate,hour,type,1001A,1002A\n20261121,0,PM2.5,10,20\n20261121,23,CO,0.5,\n",
        "g[{\"O3\":\"170\",\"O3_24h\":\"164\",\"PM2_5\":34,\"StationCode\":\"1001A\",\"TimePoint\":"
        "\"/Date(1499414400000+0800)/\",\"CO\":0.8},{\"StationCode\":\"1001A\",\"TimePoint\":\"2017-07-07T16:00:00\"}]",
        "h<a xmlns:b=\"B\"><b:L><b:O3>175</b:O3><b:O3_24h>160</b:O3_24h><b:PM2_5>&mdash;</b:PM2_5><b:PM10>79</b:PM10>"
        "<b:StationCode>1001A</b:StationCode><b:TimePoint>2019-07-18T13:00:00</b:TimePoint></b:L></a>",
        "e\xca\xb1\xbc\xe4,\xd5\xbe\xb5\xe3,PM2.5\n2026-11-20 08:00,\xb6\xa8\xc1\xea,41\n",
        "e\x1f\x8b\x08 no gzip",
    };
    return fuzz_replay("air import", corpus, sizeof corpus / sizeof corpus[0], 2000);
}
